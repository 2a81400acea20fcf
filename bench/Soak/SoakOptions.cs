using System.Globalization;

namespace WebRtcIms.Soak;

/// <summary>The command line, as <c>--name value</c>.</summary>
internal sealed record SoakOptions
{
    // An hour and a half of churn is the longest run.
    private const int MostMinutes = 90;
    private const int MostCallsPerMinute = 3000;

    public int CallsPerMinute { get; init; } = 1000;

    public double Minutes { get; init; } = 60;

    // Revocations and used assertions are kept for three minutes.
    private const double LeastWarmUp = 3.2;
    private const double LargestShare = 0.65;

    /// <summary>Minutes that are not judged: processes compile and load, and Redis fills up to what tokens live.</summary>
    public double WarmUp => Math.Max(0.25 * Minutes, Math.Min(LeastWarmUp, LargestShare * Minutes));

    public double CallSeconds { get; init; } = 2;

    /// <summary>Calls of a page, from its log-in to its sign-out.</summary>
    public int CallsOfPage { get; init; } = 10;

    /// <summary>Whether WAF and WWSF have a PostgreSQL server. Otherwise their stores are SQLite files.</summary>
    public bool HasPostgres { get; init; } = true;

    /// <summary>A file for the samples and the cost of a call, as JSON.</summary>
    public string? Json { get; init; }

    /// <summary>Measures the cost of each operation instead: this many of each.</summary>
    public int Costs { get; init; }

    /// <exception cref="FormatException">A name is unknown or a value is invalid.</exception>
    public static SoakOptions Parse(string[] args)
    {
        var options = new SoakOptions();
        if (args.Length % 2 != 0) throw new FormatException($"{args[^1]} needs a value");
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = args[i + 1];
            options = args[i] switch
            {
                "--calls-per-minute" => options with { CallsPerMinute = (int)Number(args[i], value, 1, MostCallsPerMinute) },
                "--minutes" => options with { Minutes = Number(args[i], value, 0.5, MostMinutes) },
                "--call-seconds" => options with { CallSeconds = Number(args[i], value, 0.1, 30) },
                "--calls-of-page" => options with { CallsOfPage = (int)Number(args[i], value, 1, 50) },
                "--costs" => options with { Costs = (int)Number(args[i], value, 10, 5000) },
                "--stores" => options with { HasPostgres = value == "postgres" },
                "--json" => options with { Json = value },
                _ => throw new FormatException($"unknown option {args[i]}"),
            };
        }

        return options;
    }

    private static double Number(string option, string text, double least, double most) =>
        double.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new FormatException(FormattableString.Invariant($"{option} must be a number from {least} to {most}, not {text}"));
}
