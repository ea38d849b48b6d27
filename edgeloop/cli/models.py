"""The commands that make and look into models."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cli.common import FILE, VARIANT, Command, Parser, add_id, duration, name_or_path, path, project, resolution, subject
from edgeloop.console import say, warn
from edgeloop.plural import many

if TYPE_CHECKING:
    from edgeloop.records import TfliteModel


def add(command: Command) -> None:
    add_id(command("train", _train, "train a variant"), "variant", stage="train")
    estimate = command("estimate", _estimate, "say how long the training of a variant takes on this machine")
    add_id(estimate, "variant", stage="train")
    text = "write phases into params.yaml that take no longer than this, such as 45m or 1h30m"
    estimate.add_argument("--budget", type=duration, metavar="TIME", help=text)
    quantize = command("quantize", _quantize, "convert a trained model to int8")
    add_id(quantize, "model", stage="quantize", metavar="VARIANT|MODEL.keras")
    quantize.add_option_for(FILE, "--images", type=path, help="a folder of images to calibrate with (for a model file)")
    quantize.add_option_for(FILE, "--out", type=path, help="the folder to write to (for a model file)")
    beside = "where no preprocessing.json lies beside it"
    quantize.add_option_for(FILE, "--resolution", type=resolution, help=f"the side of the model's input, or WIDTHxHEIGHT, {beside}")
    quantize.add_option_for(FILE, "--color", choices=("rgb", "grey"), help=f"of the model's input, {beside} (default: rgb)")
    quantize.add_argument("--explain", action="store_true", help="tell how each file was made, and which layers lose most")
    _add_preprocessing(quantize)
    evaluate = command("evaluate", _evaluate, "read the accuracy on the test split, or of a model file on a folder")
    add_id(evaluate, "model", stage="evaluate", metavar="VARIANT|MODEL.tflite")
    evaluate.add_option_for(FILE, "--images", type=path, help="a folder of class folders (for a model file)")
    evaluate.add_option_for(FILE, "--classes", type=path, help="the model's classes, one a line (default: the folders' names, sorted)")
    evaluate.add_argument("--json", type=path, metavar="OUT", help="write the result there")
    _add_preprocessing(evaluate)
    predict = command("predict", _predict, "classify pictures with a model")
    predict.add_argument("model", type=name_or_path, metavar="VARIANT|MODEL.tflite")
    predict.add_argument("images", type=path, nargs="+", metavar="IMAGE")
    formats = ("float", "int8 per-channel", "int8 per-tensor")
    predict.add_option_for(VARIANT, "--format", choices=formats, default=formats[1], help="which of its files (default: %(default)s)")
    predict.add_argument("--pixels", type=path, metavar="DIR", help="write there what the model saw, as PNG")
    predict.add_argument("--c", action="store_true", help="run the C code that is generated from it, on this machine")
    predict.add_argument("--json", type=path, metavar="OUT", help="write the result there")
    _add_preprocessing(predict)
    inspect = command("inspect", _inspect, "print what a .tflite, .keras or .h5 file, or an output of ST Edge AI Core, holds")
    inspect.add_argument("model", type=path, metavar="MODEL|PATH", help="a model; or an output folder, a report, a c_info.json")
    inspect.add_argument("--json", type=path, metavar="OUT", help="write the report there")


def _train(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.training.train import train

    record = train(workspace, params, options.variant)
    say("\n".join(fit.in_words() for fit in record.fits))
    from edgeloop.evaluation.doubts import in_training
    from edgeloop.records.history import read_history

    for doubt in in_training(record, read_history(params.variant(options.variant).paths(workspace).history)):
        warn(doubt)


def _estimate(options: argparse.Namespace) -> None:
    workspace, params = project()
    from edgeloop.times import in_words
    from edgeloop.training.budget import fit_into
    from edgeloop.training.estimate import estimate
    from edgeloop.training.training import Training

    variant = params.variant(options.variant)
    training = Training.of(workspace, variant, params.train_settings(variant))
    found = estimate(training)
    (_, _, first), *again = training.fits
    refits = "".join(f", then the last {training.recipe.phases[-1].epochs} once more on {len(fold.train)}" for _, _, fold in again)
    takes = f"about {in_words(found.total_s)}, by some steps on this machine"
    say(f"{many(training.recipe.epochs, 'epoch')} on {many(len(first.train), 'image')}{refits}: {takes}")
    if options.budget is not None:
        say(fit_into(training, found, options.budget))


def _quantize(options: argparse.Namespace) -> None:
    if subject(options, ".keras", ".h5") == FILE:
        _quantize_file(options)
        return
    workspace, params = project()
    from edgeloop.quantization.quantize import quantize

    _say_quantized(quantize(workspace, params, options.model).models, "", options.explain)


def _quantize_file(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.preprocessing import FILE_NAME, Preprocessing
    from edgeloop.quantization.quantize import quantize_file

    if options.images is None or options.out is None:
        raise InputError("A model file is calibrated on images and written to a folder.", "Add --images FOLDER and --out FOLDER.")
    file = Path(options.model)
    given = {name: getattr(options, name) for name in ("resolution", "color", "resize", "input_range")}
    if options.resolution is None and not (file.parent / FILE_NAME).is_file():
        wanted = "Add --resolution SIDE or WIDTHxHEIGHT, and --color, --resize and --input-range as it was trained."
        raise InputError(f"{file.parent / FILE_NAME} does not exist.", wanted)
    preprocessing = Preprocessing.beside(file, {"resize": "bilinear", "input_range": (0.0, 1.0)}, **given)
    say(f"images of {preprocessing.size}, {preprocessing.color}: {_in_words(preprocessing.resize, preprocessing.stated_range)}")
    _say_quantized(quantize_file(file, options.images, options.out, preprocessing=preprocessing), f"{options.out}/", options.explain)


def _say_quantized(models: "list[TfliteModel]", folder: str, explained: bool) -> None:
    for model in models:
        how = f"; {model.conversion.in_words()}" if model.conversion else ""
        say(f"{folder}{model.file}: {model.bytes} bytes, {model.weight_bytes / 1024:.2f} KiB of weights{how}")
    if explained:
        from edgeloop.quantization.explain import explain

        for text in filter(None, map(explain, models)):
            say(f"\n{text}")


def _evaluate(options: argparse.Namespace) -> None:
    if subject(options, ".tflite") == FILE:
        _evaluate_file(options)
        return
    workspace, params = project()
    from edgeloop.evaluation.evaluate import evaluate
    from edgeloop.files import write_text

    record = evaluate(workspace, params, options.model)
    if options.json:
        write_text(options.json, record.model_dump_json(indent=2) + "\n")
    for result in record.formats:
        low, high = result.top1.ci95
        say(f"{result.format}: top-1 {result.top1.value:.4f} (n = {result.top1.n}, 95 % {low:.4f} to {high:.4f})")
    from edgeloop.evaluation.doubts import in_evaluation

    for doubt in in_evaluation(record):
        warn(doubt)


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
    say(_in_words(report.resize, report.input_range))
    say(f"top-1 {report.top1:.4f} (n = {report.n}, 95 % {report.ci95[0]:.4f} to {report.ci95[1]:.4f}), {len(report.skipped)} skipped")


def _predict(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.evaluation.predict import predict
    from edgeloop.tflite.formats import FILES

    if subject(options, ".tflite") == FILE:
        model = Path(options.model)
    elif Path(options.model).suffix in (".keras", ".h5"):
        raise InputError(f"{options.model}: a picture is classified by a .tflite file.", "Convert it first: edgeloop quantize MODEL.keras")
    else:
        workspace, params = project()
        model = params.variant(options.model).paths(workspace).quantized / f"{FILES[options.format]}.tflite"
        if not model.is_file():
            raise InputError(f"{options.model} is not quantized.", f"Run: dvc repro quantize@{options.model}")
    chosen = tuple(options.input_range) if options.input_range else None
    found = predict(model, options.images, resize=options.resize, input_range=chosen)
    if options.pixels:
        found.write_pixels(options.pixels)
    if options.json:
        found.write_json(options.json)
    if options.c:
        from edgeloop.codegen.application.host import classify

        say(classify(model, found.preprocessing, [(one.image, one.frame) for one in found.pictures]).rstrip())
        return
    say(found.in_words())


def _inspect(options: argparse.Namespace) -> None:
    from edgeloop.errors import InputError
    from edgeloop.files import write_text

    if not options.model.exists():
        raise InputError(f"{options.model} does not exist.", "Give a model's file; a variant's are in models/DATASET/NETWORK-RESOLUTION/.")
    if options.model.suffix in (".keras", ".h5", ".hdf5"):
        from edgeloop.networks.inspect import inspect_keras

        found = inspect_keras(options.model)
        if options.json:
            write_text(options.json, found.model_dump_json(indent=2) + "\n")
        say(found.in_words())
        return
    if options.model.suffix != ".tflite":
        from edgeloop.codegen.stedgeai.inspect import inspect_output
        from edgeloop.codegen.stedgeai.render import render_record

        record = inspect_output(options.model)
        if options.json:
            record.write(options.json)
        say(render_record(record))
        return
    from edgeloop.tflite.inspect import inspect_model, render

    report = inspect_model(options.model)
    if options.json:
        write_text(options.json, report.model_dump_json(indent=2) + "\n")
    say(render(report))


def _in_words(resize: str, input_range: tuple[float, float] | None) -> str:
    return f"{resize}, " + ("the raw pixel" if input_range is None else "0 to 255 mapped to {:g} to {:g}".format(*input_range))


def _add_preprocessing(parser: Parser) -> None:
    parser.add_option_for(FILE, "--resize", choices=("nearest", "bilinear", "area"), help="how images become the model's size")
    meant = "what 0..255 is mapped to (default: as preprocessing.json beside the model says)"
    parser.add_option_for(FILE, "--input-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help=meant)
