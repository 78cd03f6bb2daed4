"""What the sources hold before borg reads them, and what of them borg is given."""
