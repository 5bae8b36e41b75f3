# Plays a terminal window: runs a command in it, closes it when a text has appeared, and prints how the command ended.
import os
import pty
import sys

awaited, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen = b""
while awaited.encode() not in seen:
    try:
        seen += os.read(terminal, 65536)
    except OSError:  # it ended by itself
        sys.exit(seen.decode())
os.close(terminal)  # the kernel sends SIGHUP
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
