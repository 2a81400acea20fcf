using System.ComponentModel.DataAnnotations;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.FlowView.Settings;

/// <summary>The section <c>FlowView</c> of the configuration: limits of the stores and of a request, and links to other viewers.</summary>
internal sealed class FlowViewSettings
{
    private const int Megabyte = 1024 * 1024;
    private const int MinKeyLength = 32;
    private const string Limits = "{0} must be a whole number from {1} to {2}";

    /// <summary>Spans kept. Beyond the limit the oldest trace is evicted.</summary>
    [Range(1, 10_000_000, ErrorMessage = Limits)]
    public int Spans { get; init; } = 100_000;

    /// <summary>Log records kept.</summary>
    [Range(1, 10_000_000, ErrorMessage = Limits)]
    public int Logs { get; init; } = 20_000;

    /// <summary>Memory for spans and log records together; nine tenths of it are for spans.</summary>
    [Range(1, 1_000_000, ErrorMessage = Limits)]
    public int MemoryMegabytes { get; init; } = 256;

    /// <summary>The largest request, as sent and as unpacked.</summary>
    [Range(1, 1_000, ErrorMessage = Limits)]
    public int RequestMegabytes { get; init; } = 8;

    /// <summary>Open event streams. Beyond it the oldest of the address with most of them ends.</summary>
    [Range(1, 10_000, ErrorMessage = Limits)]
    public int EventStreams { get; init; } = 100;

    /// <summary>Open event streams of one client address. Beyond it the oldest ends.</summary>
    [Range(1, 10_000, ErrorMessage = Limits)]
    public int EventStreamsPerAddress { get; init; } = 20;

    /// <summary>The addresses and networks whose X-Forwarded headers are accepted, in addition to this machine: the gateway.</summary>
    public List<string> KnownProxies { get; init; } = [];

    /// <summary>Addresses of the same trace in other viewers, separated by spaces or semicolons.</summary>
    public string TraceUrl { get; init; } = "";

    /// <summary>
    /// FlowView's address for the services that send spans. FlowView itself ignores it, in an environment that all share.
    /// </summary>
    public string Endpoint { get; init; } = "";

    /// <summary>
    /// The key that senders and the gateway present, in an environment that all share. Without it only this machine reaches FlowView.
    /// </summary>
    public Redacted<string> ApiKey { get; init; }

    /// <summary>Other pages that show the same trace.</summary>
    public IEnumerable<TraceViewer> Viewers => TraceUrls.Select(TraceViewer.Parse).OfType<TraceViewer>();

    public long TraceOctets => (long)MemoryMegabytes * Megabyte / 10 * 9;

    public long LogOctets => (long)MemoryMegabytes * Megabyte / 10;

    /// <summary>So one trace cannot evict all others.</summary>
    public int SpansPerTrace => Math.Max(1, Spans / 10);

    /// <summary>Young traces that are kept whatever they are. A flood has more.</summary>
    public int NewTraces => Spans / 50;

    public long OctetsPerTrace => TraceOctets / 10;

    public int RequestOctets => RequestMegabytes * Megabyte;

    private string[] TraceUrls => TraceUrl.Split([' ', ';'], StringSplitOptions.RemoveEmptyEntries);

    /// <exception cref="SettingsException">Settings are wrong. The message lists them all, each with its key.</exception>
    public static FlowViewSettings Read(IConfiguration configuration) => SettingsReader.Read<FlowViewSettings>(
        configuration, "FlowView", settings =>
        [
            .. from template in settings.TraceUrls
               where TraceViewer.Parse(template) is null
               select $"FlowView:TraceUrl must be http or https addresses that contain {{trace_id}}{SettingText.Not(template)}",
            .. ServiceDefaults.Admission.KnownProxies.Problems("FlowView:KnownProxies", settings.KnownProxies),
            .. settings.ApiKey.Reveal() is { Length: > 0 and < MinKeyLength }
                ? [$"FlowView:ApiKey must have at least {MinKeyLength} characters, such as those of 'openssl rand -hex 32'"]
                : Array.Empty<string>(),
        ]);
}
