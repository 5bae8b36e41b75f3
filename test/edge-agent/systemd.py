# Plays systemd: takes datagrams at a Unix socket and prints each as a line of JSON.
import json
import socket
import sys

taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taken.bind(sys.argv[1])
print(json.dumps("listening"), flush=True)
while True:
    print(json.dumps(taken.recv(65536).decode()), flush=True)  # closes what comes along, which systemd-notify waits for
