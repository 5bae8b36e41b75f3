#!/usr/bin/env python3
"""Prints what the agents on a broker see: python3 subscribe.py [HOST [PORT]]   (pip install paho-mqtt)"""
import json
import sys

import paho.mqtt.client as mqtt

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 1883
newest = {}  # of the events, by the outbox that they came from


def on_connect(client, userdata, flags, reason, properties):
    client.subscribe([("roadmask/+/+/result", 0), ("roadmask/+/+/mask", 0), ("roadmask/+/+/event", 1)])


def on_message(client, userdata, message):
    _, device, camera, kind = message.topic.split("/")
    where = f"{device} {camera}"
    if kind == "mask":
        print(f"{where}: a mask of {len(message.payload)} bytes", flush=True)  # PNG, white is road
    elif kind == "result":
        print(f"{where}: {json.loads(message.payload)['road_percent']} % road", flush=True)
    else:
        event = json.loads(message.payload)
        outbox = event["id"].split("-")[0]
        if event["sequence"] <= newest.get(outbox, 0):
            return  # after an outage the last events may come twice
        newest[outbox] = event["sequence"]
        print(f"{where}: event {event['sequence']} {event['type']} {event['detail']}", flush=True)


# A session that the broker keeps, so that it holds events while this program is away.
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="roadmask-example-python", clean_session=False)
client.on_connect = on_connect
client.on_message = on_message
client.connect(host, port)
client.loop_forever()
