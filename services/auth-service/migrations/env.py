from common.migrations import run

run()
