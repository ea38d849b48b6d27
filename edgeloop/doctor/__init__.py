"""`edgeloop doctor`: small checks over a view of this machine, each fault with its cause and the exact fix.

faults.yaml  every fault that is recognised      finding.py  one that was found
machine.py   what the checks may look at          report.py   all checks, and what they found
python.py project.py services.py tools.py usb.py locks.py network.py   the checks, by subject
"""
