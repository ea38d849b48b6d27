"""ST's farm of boards, behind ST Edge AI Developer Cloud (`edgeloop.codegen.stedgeai.cloud` has its client).

options.py   what is asked for each family of boards     results.py  an answer as a measurement
driver.py    the driver `st-cloud`                       listing.py  `edgeloop boards --cloud`
"""
