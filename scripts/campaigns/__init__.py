"""The parts of `scripts/campaign.py`: tables of bad and odd inputs, kills, racing writers."""
