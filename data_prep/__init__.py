"""Turns folders of ordinary photos into a training pack: `python -m data_prep PHOTOS -o PACK`."""
