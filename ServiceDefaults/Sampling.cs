using System.Globalization;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// <c>OTEL_TRACES_SAMPLER=parentbased_traceidratio</c> with <c>OTEL_TRACES_SAMPLER_ARG</c> from 0 to 1. A trace starts in a page,
/// which may claim that it is sampled, so the ratio decides there also. It depends only on the trace id: all parts make the same decision,
/// and a trace is either complete or absent.
/// </summary>
public static class Sampling
{
    internal const string Name = "OTEL_TRACES_SAMPLER";

    /// <summary>Null for any other sampler, which OpenTelemetry creates itself.</summary>
    /// <exception cref="SettingsException">The ratio is not a number from 0 to 1.</exception>
    public static Sampler? Of(IConfiguration configuration)
    {
        if (configuration[Name] != "parentbased_traceidratio") return null;
        if (RatioProblem(configuration) is { } problem) throw SettingsException.Of([problem]);
        var byId = new TraceIdRatioBasedSampler(Ratio(configuration)!.Value);
        return new ParentBasedSampler(byId, remoteParentSampled: byId);
    }

    internal static string? RatioProblem(IConfiguration configuration) =>
        Ratio(configuration) is null ? $"{Name}_ARG must be a number from 0 to 1{SettingText.Not(configuration[Name + "_ARG"]!)}" : null;

    private static double? Ratio(IConfiguration configuration) =>
        configuration[Name + "_ARG"] is not { Length: > 0 } text ? 1
        : double.TryParse(text, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1 ? ratio : null;
}
