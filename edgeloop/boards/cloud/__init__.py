"""ST Edge AI Developer Cloud: ST's farm of boards, over HTTP.

addresses.py where it is                     wire.py     one request: `httpx`, deadlines, what an answer's status means
account.py   user name, password, tokens     login.py    ST's login form, and the renewal of tokens
client.py    versions, files, benchmarks     options.py  what is asked for each family of boards
results.py   an answer as a measurement      driver.py   the driver `st-cloud`
listing.py   `edgeloop boards --cloud`
"""
