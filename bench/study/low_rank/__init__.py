"""Does RFM find the few directions that a function depends on, and does it pay?"""
