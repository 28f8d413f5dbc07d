"""Which layer of an encoder knows what: linear probes on the states of every layer, beside a control task."""
