namespace FenceGateway.Gateway.Settings;

/// <summary>
/// The configuration file as it was when it last passed validation. Is its own source: there is one file.
/// </summary>
internal sealed class LastGoodFileProvider : ConfigurationProvider, IConfigurationSource
{
    public LastGoodFileProvider(IDictionary<string, string?> values) => Data = values;

    public IDictionary<string, string?> Values => Data;

    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    /// <summary>Replaces the content and tells those who listen.</summary>
    public void Swap(IDictionary<string, string?> values)
    {
        Data = values;
        OnReload();
    }
}
