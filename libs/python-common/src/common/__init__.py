"""What every service needs and none should write twice.

A library to call, not a framework to inherit from; it imports no service.
"""
