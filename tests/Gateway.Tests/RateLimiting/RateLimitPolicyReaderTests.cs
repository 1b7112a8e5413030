using FenceGateway.Gateway.RateLimiting;

namespace FenceGateway.Gateway.Tests.RateLimiting;

public sealed class RateLimitPolicyReaderTests
{
    private const string Path = "$.FenceGateway.RateLimiterPolicies.test";

    [Fact]
    public void Read_Nothing_HasTheDefaults()
    {
        var policy = RateLimitPolicies.Of();

        policy.ShouldBe(new RateLimitPolicy
        {
            Name = "test",
            Type = RateLimitType.TokenBucket,
            PermitLimit = 100,
            Window = TimeSpan.FromSeconds(1),
            SegmentsPerWindow = 8,
            QueueLimit = 0,
            MaxPartitions = 10_000,
            PartitionBy = new RateLimitKey(),
        });
    }

    [Fact]
    public void Read_EveryKindOfPartition_IsUnderstood() =>
        RateLimitPolicies.Of(
                ("PartitionBy:0", "clientaddress"), ("PartitionBy:1", "Tenant"), ("PartitionBy:2", "Resource"),
                ("PartitionBy:3", "Header:Authorization"), ("PartitionBy:4", "route:id"),
                ("PartitionBy:5", "Query:key"))
            .PartitionBy.ToString().ShouldBe(
                "ClientAddress, Tenant, Resource, Header:Authorization, Route:id, Query:key");

    [Theory]
    [InlineData("ClientAdress", "[0]", "did you mean 'ClientAddress'?")]
    [InlineData("Sun", "[0]", "known are: ClientAddress, Tenant, Resource, Header:name, Route:name, Query:name")]
    [InlineData("ClientAddress:x", "[0]", "takes no name")]
    [InlineData("Header", "[0]", "Header:name")]
    [InlineData("Header:", "[0]", "no usable name")]
    [InlineData("Header:a b", "[0]", "no usable name")]
    [InlineData("Route:", "[0]", "no usable name")]
    public void Read_WrongPartition_NamesPathAndRemedy(string partition, string path, string message) =>
        ShouldBeOnlyProblem(Path + ".PartitionBy" + path, message, ("PartitionBy:0", partition));

    [Fact]
    public void Read_PartitionTwice_IsAProblem() =>
        ShouldBeOnlyProblem(
            Path + ".PartitionBy[1]", "stands there already", ("PartitionBy:0", "Header:A"),
            ("PartitionBy:1", "header:a"));

    [Fact]
    public void Read_MorePartsThanAKeyHolds_IsAProblem() =>
        ShouldBeOnlyProblem(
            Path + ".PartitionBy", "at most 6",
            [.. Enumerable.Range(0, 7).Select(i => ($"PartitionBy:{i}", $"Header:H{i}"))]);

    [Theory]
    [InlineData("disable", "means no limit")]
    [InlineData("grüße", "printable ASCII")]
    public void Read_NameThatCannotBe_IsAProblem(string name, string message)
    {
        var (policy, problems) = RateLimitPolicies.Read(name);

        policy.ShouldBeNull();
        problems.ShouldHaveSingleItem().Message.ShouldContain(message);
    }

    private static void ShouldBeOnlyProblem(string path, string message, params (string Key, string Value)[] settings)
    {
        var (policy, problems) = RateLimitPolicies.Read("test", settings);
        policy.ShouldBeNull();
        var problem = problems.ShouldHaveSingleItem();
        problem.Path.ShouldBe(path);
        problem.Message.ShouldContain(message);
    }
}
