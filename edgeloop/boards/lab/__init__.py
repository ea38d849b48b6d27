"""The lab: which boards there are (lab.yaml), where each is now, who holds it, and how it is flashed.

kinds.yaml   what is known of each kind of board    kinds.py   that file as a typed model
config.py    lab.yaml as a typed model              command.py the commands that build, flash and switch
usb.py       USB devices and their serial ports     find.py    from an entry of lab.yaml to a device and its lock's key
tools.yaml   the flash tools: arguments, words      tools.py   that file as a typed model, and which tool is taken
use.py       held, built for, flashed, switched     flashing.py a board flashed by such a tool
add.py       entries for what is attached           state.py   free, held, absent
"""
