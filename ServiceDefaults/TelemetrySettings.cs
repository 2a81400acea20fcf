using System.Globalization;

namespace WebRtcIms.ServiceDefaults;

/// <summary>The settings of OpenTelemetry. Its SDK passes over a value that it cannot use, and telemetry is missing in silence.</summary>
internal static class TelemetrySettings
{
    private static readonly string[] Signals = ["", "TRACES_", "METRICS_", "LOGS_"];
    private static readonly string[] Protocols = ["grpc", "http/protobuf"];
    private static readonly string[] Batches = ["OTEL_BSP_", "OTEL_BLRP_"];

    private static readonly string[] Samplers =
    [
        "always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
    ];

    private static readonly string[] Numbers =
    [
        .. Signals.Select(signal => $"OTEL_EXPORTER_OTLP_{signal}TIMEOUT"),
        .. Batches.SelectMany(batch => (string[])[$"{batch}SCHEDULE_DELAY", $"{batch}EXPORT_TIMEOUT"]),
        "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT",
    ];

    private static readonly string[] Counts =
        [.. Batches.SelectMany(batch => (string[])[$"{batch}MAX_QUEUE_SIZE", $"{batch}MAX_EXPORT_BATCH_SIZE"])];

    public static IEnumerable<string> Problems(IConfiguration configuration) =>
    [
        .. Signals.Select(signal => $"OTEL_EXPORTER_OTLP_{signal}ENDPOINT")
            .Select(name => HttpAddress.Problem(name, configuration[name], "http://localhost:4317")).OfType<string>(),
        .. Signals.Select(signal => $"OTEL_EXPORTER_OTLP_{signal}PROTOCOL")
            .Select(name => OneOfProblem(name, configuration[name], Protocols)).OfType<string>(),
        .. Signals.Select(signal => $"OTEL_EXPORTER_OTLP_{signal}HEADERS").Append("OTEL_RESOURCE_ATTRIBUTES")
            .Where(name => !IsListOfPairs(configuration[name]))
            .Select(name => $"{name} must be pairs such as name=value, separated by commas"),
        .. Numbers.Where(name => !IsNumber(configuration[name], least: 0)).Select(name => $"{name} must be a number of milliseconds"),
        .. Counts.Where(name => !IsNumber(configuration[name], least: 1)).Select(name => $"{name} must be a number from 1"),
        .. Batches.Where(batch => IsLarger(configuration[$"{batch}MAX_EXPORT_BATCH_SIZE"], configuration[$"{batch}MAX_QUEUE_SIZE"]))
            .Select(batch => $"{batch}MAX_EXPORT_BATCH_SIZE must not be larger than {batch}MAX_QUEUE_SIZE"),
        .. OneOfProblem(Sampling.Name, configuration[Sampling.Name], Samplers) is { } sampler ? [sampler] : Array.Empty<string>(),
        .. Sampling.RatioProblem(configuration) is { } ratio ? [ratio] : Array.Empty<string>(),
    ];

    private static string? OneOfProblem(string name, string? value, string[] known) =>
        string.IsNullOrEmpty(value) || known.Contains(value)
            ? null : $"{name} must be one of {string.Join(", ", known)}{SettingText.Not(value)}";

    private static bool IsListOfPairs(string? value) =>
        string.IsNullOrEmpty(value) || value.Split(',', StringSplitOptions.RemoveEmptyEntries).All(pair => pair.Trim().IndexOf('=') > 0);

    private static bool IsNumber(string? value, int least) =>
        string.IsNullOrEmpty(value)
        || (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least);

    // The default of the queue is 2048, and of a batch 512.
    private static bool IsLarger(string? batch, string? queue) =>
        int.TryParse(batch ?? "512", CultureInfo.InvariantCulture, out var size)
        && int.TryParse(queue ?? "2048", CultureInfo.InvariantCulture, out var room) && room > 0 && size > room;
}
