namespace FenceGateway.Gateway.Chaos;

/// <summary>How an injected attempt fails.</summary>
internal enum ChaosFault
{
    None,

    /// <summary>
    /// As if the connection had been reset after the request was sent: nobody knows whether it was applied.
    /// </summary>
    Reset,

    /// <summary>As if no connection had come about: nothing was sent.</summary>
    ConnectionRefused,
}
