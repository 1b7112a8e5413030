using Yarp.ReverseProxy.Configuration;

namespace FenceGateway.Gateway.Lifecycle;

/// <summary>
/// Whether what routes requests is that of the configuration in force. It should be, since a configuration is built
/// once for trial before it is taken. Where it is not, it stays so until a restart: ASP.NET's matcher hears of no
/// further routes once it could not be built.
/// </summary>
internal sealed class RouterState : IConfigChangeListener
{
    private const string Stuck =
        "The routes of the configuration in force could not be built, and older ones are served; restart the gateway.";

    private volatile string? _fault;

    /// <summary>What is wrong; null while nothing is.</summary>
    public string? Fault => _fault;

    public void ConfigurationLoadingFailed(IProxyConfigProvider configProvider, Exception exception) =>
        Failed(exception);

    public void ConfigurationLoaded(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
        // Read, and not in force yet.
    }

    public void ConfigurationApplyingFailed(IReadOnlyList<IProxyConfig> proxyConfigs, Exception exception) =>
        Failed(exception);

    public void ConfigurationApplied(IReadOnlyList<IProxyConfig> proxyConfigs)
    {
        // The usual case; it mends nothing that went wrong before.
    }

    private void Failed(Exception exception) => _fault ??= $"{Stuck} {exception.GetBaseException().Message}";
}
