"""Several processes that fit together over gloo on the loopback device, as a launcher would start them."""

import multiprocessing
import os
import socket
from contextlib import closing

PATIENCE = 120  # seconds


def free_port():
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(rank, size, port):
    """What torchrun tells its processes."""
    names = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "MASTER_PORT": port}
    return {name: str(value) for name, value in names.items()} | {
        "MASTER_ADDR": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "ROBUSTAE_TIMEOUT": "60",
    }


def _child(sender, rank, size, port, function, arguments):
    import torch

    os.environ |= environment(rank, size, port)
    torch.set_num_threads(1)
    try:
        sender.send((True, function(rank, *arguments)))
    except Exception as error:
        sender.send((False, f"{type(error).__name__}: {error}"))


def _context():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "robustae.estimators.autoencoder"])
    return context


def started(size, function, *arguments):
    """Start ``function(rank, *arguments)`` in `size` processes; return them with the pipes they answer by."""
    context, port = _context(), free_port()
    found = []
    for rank in range(size):
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(
            target=_child, args=(sender, rank, size, port, function, arguments), daemon=True
        )
        child.start()
        sender.close()
        found.append((child, receiver))
    return found


def answers(processes):
    """Wait for all, and return what each one's function gave, or None where it was killed."""
    found = []
    for child, receiver in processes:
        assert receiver.poll(PATIENCE), "a process hangs"
        try:
            found.append(receiver.recv())
        except EOFError:
            found.append(None)
        child.join(PATIENCE)
        assert child.exitcode is not None, "a process does not end"
    return found


def together(size, function, *arguments):
    """Run ``function(rank, *arguments)`` in `size` processes that fit together; return what each gives."""
    found = answers(started(size, function, *arguments))
    wrong = [value for good, value in found if not good]
    assert not wrong, wrong
    return [value for _, value in found]
