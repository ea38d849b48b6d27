"""The serial validation protocol of ST's boards ("stm32msg", 3.1 and 3.2), host side.

wire.py      protobuf: fields and bytes
messages.py  the messages and their numbers
framing.py   messages in packets
link.py      packets on a port, with deadlines
formats.py   what the protocol says of a tensor, as arrays
exchange.py  one message each way, log messages, request numbers
results.py   what a board says of itself and of a run
agreement.py a higher rate, larger packets and CRCs, where the device offers them (edgeloop's own)
run.py       the transaction NETWORK_RUN, everything checked
client.py    synchronise, information, run; bounded, counted retries
"""
