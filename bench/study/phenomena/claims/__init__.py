"""The claims of each phenomenon, their rules, and what the outcomes say of them."""
