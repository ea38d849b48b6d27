"""The commands that make and look into models."""

import argparse
from pathlib import Path

from edgeloop.cli.common import Command, name_or_path, path, project


def add(command: Command) -> None:
    command("train", _train, "train a variant").add_argument("variant")
    quantize = command("quantize", _quantize, "convert a trained model to int8")
    quantize.add_argument("model", type=name_or_path, metavar="VARIANT|MODEL.keras")
    quantize.add_argument("--images", type=path, help="a folder of images to calibrate with (for a model file)")
    quantize.add_argument("--out", type=path, help="the folder to write to (for a model file)")
    quantize.add_argument("--resolution", type=int, help="the model's input side, where no preprocessing.json lies beside it")
    _add_preprocessing(quantize)
    evaluate = command("evaluate", _evaluate, "read the accuracy on the test split, or of a model file on a folder")
    evaluate.add_argument("model", type=name_or_path, metavar="VARIANT|MODEL.tflite")
    evaluate.add_argument("--images", type=path, help="a folder of class folders (for a model file)")
    evaluate.add_argument("--classes", type=path, help="the model's classes, one a line (default: the folders' names, sorted)")
    evaluate.add_argument("--json", type=path, metavar="OUT", help="write the result there")
    _add_preprocessing(evaluate)
    inspect = command("inspect", _inspect, "print what a .tflite file, or an output of ST Edge AI Core, holds")
    inspect.add_argument("model", type=path, metavar="MODEL.tflite|PATH", help="a model; or an output folder, a report, a c_info.json")
    inspect.add_argument("--json", type=path, metavar="OUT", help="write the report there")


def _train(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.training.train import train

    record = train(workspace, params, options.variant)
    print(f"val accuracy {record.val_accuracy:.4f} (n = {record.val_images}) in epoch {record.best_epoch}")


def _quantize(options: argparse.Namespace) -> None:
    if Path(options.model).suffix in (".keras", ".h5"):
        _quantize_file(options)
        return
    workspace, params = project()
    from edgeloop.quantization.quantize import quantize

    for model in quantize(workspace, params, options.model).models:
        print(f"{model.file}: {model.bytes} bytes, {model.weight_bytes / 1024:.2f} KiB of weights")


def _quantize_file(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.preprocessing import Preprocessing
    from edgeloop.quantization.quantize import quantize_file

    if options.images is None or options.out is None:
        raise InputError("A model file is calibrated on images and written to a folder.", "Add --images FOLDER and --out FOLDER.")
    preprocessing = None
    if options.resolution is not None:
        preprocessing = Preprocessing(
            resolution=options.resolution, resize=options.resize or "bilinear", input_range=tuple(options.input_range or (0, 1))
        )
    for model in quantize_file(Path(options.model), options.images, options.out, preprocessing=preprocessing):
        print(f"{options.out / model.file}: {model.bytes} bytes, {model.weight_bytes / 1024:.2f} KiB of weights")


def _evaluate(options: argparse.Namespace) -> None:
    if Path(options.model).suffix == ".tflite":
        _evaluate_file(options)
        return
    workspace, params = project()
    from edgeloop.evaluation.evaluate import evaluate

    record = evaluate(workspace, params, options.model)
    for result in record.formats:
        low, high = result.top1.ci95
        print(f"{result.format}: top-1 {result.top1.value:.4f} (n = {result.top1.n}, 95 % {low:.4f} to {high:.4f})")


def _evaluate_file(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.evaluation.folder import evaluate_folder
    from edgeloop.files import write_text

    if options.images is None:
        raise InputError("A model file is evaluated on images.", "Add --images FOLDER, a folder of class folders.")
    report = evaluate_folder(
        Path(options.model),
        options.images,
        resize=options.resize,
        input_range=tuple(options.input_range) if options.input_range else None,
        classes=options.classes,
    )
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    print(f"top-1 {report.top1:.4f} (n = {report.n}, 95 % {report.ci95[0]:.4f} to {report.ci95[1]:.4f}), {len(report.skipped)} skipped")


def _inspect(options: argparse.Namespace) -> None:
    from edgeloop.files import write_text

    if options.model.suffix != ".tflite":
        from edgeloop.codegen.stedgeai.inspect import inspect_output
        from edgeloop.codegen.stedgeai.render import render_record

        record = inspect_output(options.model)
        if options.json:
            record.write(options.json)
        print(render_record(record))
        return
    from edgeloop.tflite.inspect import inspect_model, render

    report = inspect_model(options.model)
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    print(render(report))


def _add_preprocessing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resize", choices=("nearest", "bilinear", "area"), help="how images become the model's size")
    parser.add_argument("--input-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="what 0..255 is mapped to for a float model")
