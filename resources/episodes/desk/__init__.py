"""`desk`: a service desk with tools, a policy, a customer and a database that should end in a known state."""
