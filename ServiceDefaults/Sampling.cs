using System.Globalization;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// <c>OTEL_TRACES_SAMPLER=parentbased_traceidratio</c> with <c>OTEL_TRACES_SAMPLER_ARG</c> from 0 to 1. A trace starts in a page,
/// which may claim that it is sampled, so the ratio decides there also. It depends only on the trace id: all parts make the same decision,
/// and a trace is either complete or absent.
/// </summary>
public static class Sampling
{
    private const string Name = "OTEL_TRACES_SAMPLER";

    /// <summary>Null for any other sampler, which OpenTelemetry creates itself.</summary>
    /// <exception cref="InvalidOperationException">The ratio is not a number from 0 to 1.</exception>
    public static Sampler? Of(IConfiguration configuration)
    {
        if (configuration[Name] != "parentbased_traceidratio") return null;
        var text = configuration[Name + "_ARG"] ?? "1";
        if (!double.TryParse(text, CultureInfo.InvariantCulture, out var ratio) || ratio is not (>= 0 and <= 1))
            throw new InvalidOperationException($"{Name}_ARG must be a number from 0 to 1, not '{text}'.");
        var byId = new TraceIdRatioBasedSampler(ratio);
        return new ParentBasedSampler(byId, remoteParentSampled: byId);
    }
}
