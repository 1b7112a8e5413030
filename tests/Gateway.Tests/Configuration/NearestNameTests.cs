using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Tests.Configuration;

public sealed class NearestNameTests
{
    private static readonly string[] Known = ["DrainTimeout", "WriteTimeout", "InDoubtHold", "Mode", "Reads"];

    [Theory]
    [InlineData("DrainTimout", "DrainTimeout")]
    [InlineData("draintimeout", "DrainTimeout")]
    [InlineData("DrianTimeout", "DrainTimeout")]
    [InlineData("Drain", "DrainTimeout")]
    [InlineData("ReadsPolicy", "Reads")]
    [InlineData("Mdoe", "Mode")]
    [InlineData("Colour", null)]
    [InlineData("x", null)]
    public void Of_Name_IsWhatWasProbablyMeant(string name, string? meant) =>
        NearestName.Of(name, Known).ShouldBe(meant);

    [Theory]
    [InlineData("", "abc", 3)]
    [InlineData("abc", "ABC", 0)]
    [InlineData("abcd", "abdc", 1)]
    [InlineData("kitten", "sitting", 3)]
    public void Distance_TwoNames_CountsEdits(string left, string right, int edits) =>
        NearestName.Distance(left, right).ShouldBe(edits);
}
