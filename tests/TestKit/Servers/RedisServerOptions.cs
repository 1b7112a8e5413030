namespace FenceGateway.TestKit;

/// <summary>How a <see cref="RedisServer"/> is started. The defaults are what the grade Single asks for.</summary>
public sealed record RedisServerOptions
{
    /// <summary>
    /// Whether it is a Garnet, with a log that is flushed before an answer; of the other options none is for it.
    /// </summary>
    public bool Garnet { get; init; }

    /// <summary>Whether there is a log at all.</summary>
    public bool AppendOnly { get; init; } = true;

    /// <summary><c>always</c>, <c>everysec</c> or <c>no</c>.</summary>
    public string AppendFsync { get; init; } = "always";

    /// <summary>The password of the user <c>default</c>.</summary>
    public string? Password { get; init; }

    /// <summary>
    /// Lines of an ACL file: <c>user fence on >secret ~* +@all</c>. Not together with <see cref="Password"/>.
    /// </summary>
    public IReadOnlyList<string> Users { get; init; } = [];

    /// <summary>With these only encrypted connections are taken.</summary>
    public TestCertificates? Certificates { get; init; }

    /// <summary>Whether a client has to show a certificate of the same authority.</summary>
    public bool AskForClientCertificate { get; init; }

    /// <summary>A cluster of one node that owns every slot.</summary>
    public bool Cluster { get; init; }

    /// <summary>Further arguments: <c>--maxmemory 2mb</c> as two items.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];
}
