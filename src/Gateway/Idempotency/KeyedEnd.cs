using FenceGateway.Gateway.Forwarding;

namespace FenceGateway.Gateway.Idempotency;

/// <summary>What a request's end means for its key.</summary>
internal enum KeyedEnd
{
    /// <summary>It was certainly not applied: the next one with the key is the first again.</summary>
    Released,

    /// <summary>It may have been applied, and there is no answer to repeat.</summary>
    Unknown,

    /// <summary>The service has answered, and that is the answer from now on.</summary>
    Answered,
}

internal static class KeyedEnds
{
    /// <summary>Decides by the attempts and by the status that the client gets.</summary>
    public static KeyedEnd Of(in AttemptState attempts, int answered)
    {
        switch (attempts.Last?.End)
        {
            case ForwardEnd.NotSent:
                return NotApplied(attempts);
            case ForwardEnd.InDoubt:
                return KeyedEnd.Unknown;
        }

        // Without a last attempt the gateway has refused: at once, or to try again after an answer that it dropped.
        var status = attempts.Last?.Status ?? attempts.Status;
        return status switch
        {
            0 => NotApplied(attempts),
            _ when AttemptResult.SaysAgain(status) => NotApplied(attempts),
            // A status below 200: the connection went over to another protocol.
            < StatusCodes.Status200OK => KeyedEnd.Unknown,
            _ when attempts.Last is null || status != answered => KeyedEnd.Unknown,
            _ => KeyedEnd.Answered,
        };
    }

    private static KeyedEnd NotApplied(in AttemptState attempts) =>
        attempts.MayBeApplied ? KeyedEnd.Unknown : KeyedEnd.Released;
}
