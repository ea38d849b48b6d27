/* The device's end of the serial validation protocol 3.1. */
#ifndef DEVICE_H
#define DEVICE_H

/* Answers requests, for ever. */
void device_serve(void);

#endif
