"""Repair: finds cracks, scratches and spots of a print, and fills them."""
