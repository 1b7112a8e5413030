using FenceGateway.Simulation.Kernel;

namespace FenceGateway.Simulation.Parts;

/// <summary>
/// A gateway's connection to the service with one write on it, as its kernel keeps it: what was handed over goes on
/// when the gateway stands still or is gone, is sent again after a link was down, and is forgotten after the time that
/// the kernel was told.
/// </summary>
internal sealed class ServiceConnection(
    SimulatedProcess gateway, Scheduler scheduler, Link link, SimulatedService service, TimeSpan undelivered, Flaw flaw)
{
    private readonly Queue<(bool IsLast, long HandedOver)> _pieces = new();
    private readonly TaskCompletionSource<bool> _answer = new();
    private bool _isCarrying;
    private bool _isGivenUp;
    private bool _isForgotten;

    public required string RequestId { get; init; }

    public required string Resource { get; init; }

    public required long Token { get; init; }

    /// <summary>Completes with the service's answer: true; or false when the kernel has lost the connection.</summary>
    public Task<bool> Answer => _answer.Task;

    /// <summary>Whether the session lives that the write was admitted in.</summary>
    public required Func<bool> MayGo { get; init; }

    /// <summary>Whether a gateway that runs, in a session that lives, waits for the answer.</summary>
    public bool IsAwaited => !_isGivenUp && gateway is { IsAlive: true, IsStopped: false } && MayGo();

    /// <summary>The kernel has another piece from now on, and nobody can take it back but by a reset.</summary>
    public void HandOver(bool isLast)
    {
        _pieces.Enqueue((isLast, scheduler.Now));
        Carry();
    }

    /// <summary>The gateway gives it up: a reset, and what was not delivered is forgotten.</summary>
    public void Abort()
    {
        _isGivenUp = true;
        _isForgotten |= flaw != Flaw.KernelNeverForgets;
    }

    /// <summary>The service has answered, if anybody still listens.</summary>
    public void Reply() => link.Send(() => gateway.Run(() => _answer.TrySetResult(true)));

    /// <summary>The connection is gone, whatever becomes of the write.</summary>
    public void Break() => gateway.Run(() => _answer.TrySetResult(false));

    private void Carry()
    {
        if (_isCarrying || _pieces.Count == 0)
        {
            return;
        }

        _isCarrying = true;
        scheduler.After(link.Delay, Arrive);
    }

    private void Arrive()
    {
        _isCarrying = false;
        if (_isForgotten)
        {
            return;
        }

        var (isLast, handedOver) = _pieces.Peek();
        if (link.IsCut)
        {
            _isCarrying = true;
            link.WhenHealed(() => scheduler.After(link.Delay, Arrive));
            return;
        }

        if (scheduler.Now - handedOver > undelivered.Ticks && flaw != Flaw.KernelNeverForgets)
        {
            _isForgotten = true;
            Break();
            return;
        }

        _pieces.Dequeue();
        if (isLast)
        {
            service.Take(this, handedOver);
        }

        Carry();
    }
}
