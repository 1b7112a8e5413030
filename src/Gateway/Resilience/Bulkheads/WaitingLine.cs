using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Resilience.Bulkheads;

/// <summary>
/// Those who wait at a compartment, in the order of their arrival; among those of one resource a higher token goes
/// first. Belongs to the compartment's lock. Every search is bounded by the queue limit.
/// </summary>
internal struct WaitingLine
{
    private PlaceWaiter? _last;

    public PlaceWaiter? First { get; private set; }

    public int Count { get; private set; }

    public void Add(PlaceWaiter waiter)
    {
        waiter.Previous = _last;
        if (_last is null)
        {
            First = waiter;
        }
        else
        {
            _last.Next = waiter;
        }

        _last = waiter;
        Count++;
    }

    public void Remove(PlaceWaiter waiter)
    {
        if (waiter.Previous is { } previous)
        {
            previous.Next = waiter.Next;
        }
        else
        {
            First = waiter.Next;
        }

        if (waiter.Next is { } next)
        {
            next.Previous = waiter.Previous;
        }
        else
        {
            _last = waiter.Previous;
        }

        waiter.Previous = waiter.Next = null;
        Count--;
    }

    /// <summary>Puts <paramref name="waiter"/> where <paramref name="old"/> stood.</summary>
    public void Replace(PlaceWaiter old, PlaceWaiter waiter)
    {
        (waiter.Previous, waiter.Next) = (old.Previous, old.Next);
        if (old.Previous is { } previous)
        {
            previous.Next = waiter;
        }
        else
        {
            First = waiter;
        }

        if (old.Next is { } next)
        {
            next.Previous = waiter;
        }
        else
        {
            _last = waiter;
        }

        old.Previous = old.Next = null;
    }

    /// <summary>
    /// Who goes when it is the turn of <paramref name="turn"/>: the first with the highest token of its resource.
    /// </summary>
    public static PlaceWaiter Newest(PlaceWaiter turn)
    {
        var newest = turn;
        if (turn.Token == 0)
        {
            return newest;
        }

        for (var other = turn.Next; other is not null; other = other.Next)
        {
            if (other.Token > newest.Token && other.IsOfResource(turn.Fence))
            {
                newest = other;
            }
        }

        return newest;
    }

    /// <summary>
    /// The last one with the lowest token of the resource, if that is below <paramref name="token"/>.
    /// </summary>
    public readonly PlaceWaiter? OldestBelow(ResourceFence? fence, long token)
    {
        PlaceWaiter? oldest = null;
        for (var other = First; other is not null && token != 0; other = other.Next)
        {
            if (other.Token != 0 && other.Token < token && other.Token <= (oldest?.Token ?? token)
                && other.IsOfResource(fence))
            {
                oldest = other;
            }
        }

        return oldest;
    }
}
