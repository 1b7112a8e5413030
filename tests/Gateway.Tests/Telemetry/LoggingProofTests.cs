using FenceGateway.Gateway.Tests.Configuration;
namespace FenceGateway.Gateway.Tests.Telemetry;

/// <summary>What Serilog would fail on at start, or leave out without a word.</summary>
public sealed class LoggingProofTests
{
    [Theory]
    [InlineData("\"MinimumLevel\": \"Warn\"", ".MinimumLevel", "did you mean 'Warning'?")]
    [InlineData("\"MinimumLevel\": { \"Default\": \"Debgu\" }", ".MinimumLevel.Default", "did you mean 'Debug'?")]
    [InlineData("\"MinimumLevel\": { \"Override\": { \"Yarp\": \"Chatty\" } }", ".MinimumLevel.Override.Yarp", "levels: Verbose, Debug")]
    [InlineData("\"MinimumLevel\": { \"ControlledBy\": \"$none\" }", "", "is refused by Serilog")]
    [InlineData("\"Using\": [ \"No.Such.Assembly\" ]", "", "No.Such.Assembly")]
    [InlineData("\"WriteTo\": [ { \"Name\": \"Consol\" } ]", "", "Unable to find a method called Consol")]
    [InlineData("\"WriteTo\": [ { \"Name\": \"File\", \"Args\": { \"path\": \"x.log\", \"rollingInterval\": "
        + "\"Fortnight\" } } ]", "", "Fortnight")]
    [InlineData("\"Enrich\": [ \"WithNothing\" ]", "", "WithNothing")]
    public async Task Serilog_CannotBeBuilt_NamesItsPlace(string members, string path, string message)
    {
        var problem = (await ProblemsAsync(members)).ShouldHaveSingleItem();

        problem.Path.ShouldBe($"$.Serilog{path}");
        problem.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("\"MinimumLevel\": \"warning\"")]
    [InlineData("\"MinimumLevel\": { \"Default\": \"Information\", \"Override\": { \"Yarp\": \"Debug\" } }")]
    [InlineData("\"LevelSwitches\": { \"$s\": \"Debug\" }, \"MinimumLevel\": { \"ControlledBy\": \"$s\", \"Override\": "
        + "{ \"Yarp\": \"$s\" } }")]
    [InlineData("\"WriteTo\": [ \"Console\" ], \"Enrich\": [ \"FromLogContext\" ]")]
    public async Task Serilog_AsDocumented_IsGood(string members) => (await ProblemsAsync(members)).ShouldBeEmpty();

    private static Task<IReadOnlyList<Gateway.Configuration.ConfigProblem>> ProblemsAsync(string members) =>
        ConfigurationFolder.ProblemsAsync($$"""{ "Serilog": { {{members}} } }""");
}
