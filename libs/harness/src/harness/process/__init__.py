"""A stack's processes on this machine: started, watched, stopped, and where they listen.

Knows neither what the shop consists of (`topology`) nor how a part of it is started (`providers`).
"""
