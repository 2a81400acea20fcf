using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>No value can forge a record on the console (ASVS 16.4.1).</summary>
public sealed class ConsoleLinesTests
{
    [Fact]
    public void Message_HasTheLayoutOfTheSimpleFormatter() =>
        Assert.Equal(["warn: a.category[7]", "      key k1 is unknown"], Write("key k1 is unknown"));

    [Theory]
    [InlineData("k1\nfail: a.category[7]\n      all keys are gone")]
    [InlineData("k1\r\nfail: a.category[7]")]
    [InlineData("k1\rfail: a.category[7]")]
    [InlineData("k1\u2028fail: a.category[7]\u2029\u0085")]
    [InlineData("\u001b[2K\u001b[1Afail: a.category[7]\b\u007f")]
    [InlineData("\u202efail: a.category[7]\u2066")]
    public void ValueWithLineEndsOrControls_StaysInItsLine(string value)
    {
        var lines = Write($"key {value} is unknown");

        Assert.Equal(2, lines.Length);
        Assert.All(lines[1], c => Assert.True(c is >= ' ' and <= '~', $"U+{(int)c:x4}"));
        Assert.Contains("\\u", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void LinesOfAnException_AreIndented()
    {
        var lines = Write("it failed", new InvalidOperationException("one\nfail: a.category[7]\u001b[2J"));

        Assert.Equal(["warn: a.category[7]", "      it failed"], lines[..2]);
        Assert.All(lines[2..], line => Assert.StartsWith("      ", line, StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', string.Concat(lines));
    }

    [Theory]
    [InlineData(null, "lines")]
    [InlineData("json", "json")]
    public void Services_UseIt_UnlessTheOperatorChoseAnother(string? chosen, string expected)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["Logging:Console:FormatterName"] = chosen;
        ConsoleLines.AddTo(builder);
        using var host = builder.Build();

        Assert.Equal(expected, host.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName);
        Assert.Single(host.Services.GetServices<ConsoleFormatter>().OfType<ConsoleLines>());
    }

    private static string[] Write(string message, Exception? error = null)
    {
        using var writer = new StringWriter();
        new ConsoleLines().Write(
            new LogEntry<string>(LogLevel.Warning, "a.category", new EventId(7), message, error, (state, _) => state), null, writer);
        return writer.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }
}
