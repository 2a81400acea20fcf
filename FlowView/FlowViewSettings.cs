using System.Globalization;
using System.Text;

namespace WebRtcIms.FlowView;

/// <summary>The section <c>FlowView</c> of the configuration: limits of the stores and of a request, and links to other viewers.</summary>
internal sealed class FlowViewSettings
{
    private const int Megabyte = 1024 * 1024;

    /// <summary>Spans kept. Beyond the limit the oldest trace is evicted.</summary>
    public int Spans { get; init; } = 100_000;

    /// <summary>Log records kept.</summary>
    public int Logs { get; init; } = 20_000;

    /// <summary>Memory for spans and log records together; nine tenths of it are for spans.</summary>
    public int MemoryMegabytes { get; init; } = 256;

    /// <summary>The largest request, as sent and as unpacked.</summary>
    public int RequestMegabytes { get; init; } = 8;

    /// <summary>Other pages that show the same trace.</summary>
    public IReadOnlyList<TraceViewer> Viewers { get; init; } = [];

    public long TraceOctets => (long)MemoryMegabytes * Megabyte / 10 * 9;

    public long LogOctets => (long)MemoryMegabytes * Megabyte / 10;

    /// <summary>So one trace cannot evict all others.</summary>
    public int SpansPerTrace => Math.Max(1, Spans / 10);

    public long OctetsPerTrace => TraceOctets / 10;

    public int RequestOctets => RequestMegabytes * Megabyte;

    /// <exception cref="SettingsException">Settings are wrong. The message lists them all, each with its key.</exception>
    public static FlowViewSettings Read(IConfiguration configuration)
    {
        var problems = new StringBuilder();
        var defaults = new FlowViewSettings();
        var settings = new FlowViewSettings
        {
            Spans = Number(nameof(Spans), defaults.Spans, 10_000_000),
            Logs = Number(nameof(Logs), defaults.Logs, 10_000_000),
            MemoryMegabytes = Number(nameof(MemoryMegabytes), defaults.MemoryMegabytes, 1_000_000),
            RequestMegabytes = Number(nameof(RequestMegabytes), defaults.RequestMegabytes, 1_000),
            Viewers = [.. (configuration["FlowView:TraceUrl"] ?? "").Split([' ', ';'], StringSplitOptions.RemoveEmptyEntries).Select(Viewer).OfType<TraceViewer>()],
        };
        return problems.Length == 0 ? settings : throw new SettingsException($"The settings cannot be used:{problems}");

        int Number(string name, int fallback, int max)
        {
            if (configuration[$"FlowView:{name}"] is not { } text) return fallback;
            if (int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= max) return number;
            problems.Append(CultureInfo.InvariantCulture, $"\n  FlowView:{name} must be a whole number from 1 to {max}, not '{text}'");
            return fallback;
        }

        TraceViewer? Viewer(string template)
        {
            var viewer = TraceViewer.Parse(template);
            if (viewer is null) problems.Append(CultureInfo.InvariantCulture, $"\n  FlowView:TraceUrl must be http or https addresses that contain {{trace_id}}, not '{template}'");
            return viewer;
        }
    }
}

/// <summary>Settings that cannot be used.</summary>
internal sealed class SettingsException(string message) : Exception(message);
