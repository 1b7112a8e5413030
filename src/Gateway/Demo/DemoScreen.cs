using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;

namespace FenceGateway.Gateway.Demo;

/// <summary>How the demo looks: in colour on a terminal, else plain text.</summary>
internal sealed class DemoScreen
{
    /// <summary>Lines to paste must not be broken; the terminal wraps them itself.</summary>
    private const int NoWrap = 1000;

    private static readonly JsonSerializerOptions Pretty = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly TextWriter _output;
    private readonly IAnsiConsole? _console;

    public DemoScreen(TextWriter output, bool plain)
    {
        _output = output;
        if (!plain)
        {
            _console = AnsiConsole.Create(
                new AnsiConsoleSettings { Ansi = AnsiSupport.Yes, Out = new AnsiConsoleOutput(output) });
            _console.Profile.Width = NoWrap;
        }
    }

    /// <summary>A line of Spectre markup; text from elsewhere must be escaped.</summary>
    public void Line(string markup = "")
    {
        if (_console is null)
        {
            _output.WriteLine(Markup.Remove(markup));
        }
        else
        {
            _console.MarkupLine(markup);
        }
    }

    public void Title(string text)
    {
        Line();
        Line($"[bold]{Markup.Escape(text)}[/]");
    }

    public void Text(string text) => Line($"   {Markup.Escape(text)}");

    public void Request(string who, DemoRequest request)
    {
        var body = request.Body is null ? "" : $"   [grey]body:[/] {Markup.Escape(request.Body)}";
        Line($"   [cyan]{who} >[/] [bold]{request.Method} {Markup.Escape(request.Path)}[/]{body}");
        if (request.Token is { } token)
        {
            Line($"       {DemoService.TokenHeader}: [yellow]{token}[/]");
        }
    }

    public void Response(string who, DemoResponse response)
    {
        var colour = response.Status < 400 ? "green" : "red";
        var reason = Markup.Escape(response.Reason);
        Line($"   [cyan]{who} <[/] [bold {colour}]{response.Status} {reason}[/] [grey]after "
            + $"{Seconds(response.Elapsed)}[/]");
        foreach (var header in response.Headers)
        {
            Line($"       [grey]{Markup.Escape(header)}[/]");
        }

        foreach (var line in Lines(response))
        {
            Line($"       {Markup.Escape(line)}");
        }
    }

    /// <summary>Whether a step went as told, and what that shows.</summary>
    public bool Verdict(bool asTold, string shown, string otherwise)
    {
        Line(asTold
            ? $"   [green]OK[/]  {Markup.Escape(shown)}"
            : $"   [bold red]NOT AS TOLD[/]  {Markup.Escape(otherwise)}");
        return asTold;
    }

    public static string Seconds(TimeSpan time) =>
        time < TimeSpan.FromSeconds(1) ? $"{time.TotalMilliseconds:0} ms" : $"{time.TotalSeconds:0.000} s";

    /// <summary>The service's short answers as they are, a problem one member a line.</summary>
    private static string[] Lines(DemoResponse response)
    {
        if (response.ContentType != "application/problem+json")
        {
            return response.Body.Length == 0 ? [] : response.Body.ReplaceLineEndings("\n").Split('\n');
        }

        try
        {
            using var problem = JsonDocument.Parse(response.Body);
            return JsonSerializer.Serialize(problem.RootElement, Pretty).ReplaceLineEndings("\n").Split('\n');
        }
        catch (JsonException)
        {
            return [response.Body];
        }
    }
}
