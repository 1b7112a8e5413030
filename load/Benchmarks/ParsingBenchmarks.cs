using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using Microsoft.AspNetCore.Http;

namespace FenceGateway.Benchmarks;

/// <summary>What the early checks do to every fenced request before the table is asked.</summary>
[MemoryDiagnoser]
public class ParsingBenchmarks
{
    private readonly HttpRequest _request = new DefaultHttpContext().Request;
    private readonly ResourceTemplate _template = Compile("orders/{id}");
    private readonly char[] _key = new char[ResourceKey.MaxBytes];

    [GlobalSetup]
    public void SetUp() => _request.RouteValues["id"] = "4711";

    [Benchmark]
    public bool ParseToken2Digits() => FencingToken.TryParse("34", out _);

    [Benchmark]
    public bool ParseToken19Digits() => FencingToken.TryParse("9223372036854775807", out _);

    [Benchmark]
    public bool GuardPlainTarget() => TargetGuard.FindAmbiguity("/orders/4711/items/12?expand=lines") is null;

    [Benchmark]
    public bool GuardEscapedTarget() => TargetGuard.FindAmbiguity("/orders/caf%C3%A9/items/12?expand=lines") is null;

    [Benchmark]
    public RenderStatus RenderKey()
    {
        var values = new RequestResourceValues(_request, _request.RouteValues);
        return _template.Render(ref values, _key, out _, out _);
    }

    private static ResourceTemplate Compile(string text) =>
        ResourceTemplate.TryParse(text, caseInsensitive: false, out var template, out var error)
            ? template
            : throw new ArgumentException(error, nameof(text));
}
