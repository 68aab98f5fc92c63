"""Stands for libraries on a cold disk."""

import time

time.sleep(20)
