namespace FenceGateway.Gateway.Configuration;

/// <summary>
/// The configuration file's place among the configuration sources. It never reads the file itself: it holds what was last
/// found to be good, so that nobody, YARP included, ever sees anything else.
/// </summary>
internal sealed class LastGoodConfiguration(IDictionary<string, string?> initial) : ConfigurationProvider, IConfigurationSource
{
    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    public override void Load() => Data = initial;

    public IDictionary<string, string?> Snapshot() => Data.Count == 0 ? initial : Data;

    /// <summary>Publishes a configuration that has been validated.</summary>
    public void Publish(IDictionary<string, string?> data)
    {
        Data = data;
        OnReload();
    }
}
