"""Does linear RFM do what its paper says: sparse regression, matrix completion, speed, scale."""
