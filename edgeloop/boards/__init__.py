"""Boards that run models and time them.

driver.py     the protocol that every driver implements, what a run is        drivers.py  the drivers, one line each
subject.py    what is run: a model, its images, perhaps its variant           benchmark.py  hold, prepare, compare, measure, record
host.py, virtual/, mcu/ (with stm32msg/), mpu/   the drivers                   lab/  which boards there are, where, and who holds them
"""
