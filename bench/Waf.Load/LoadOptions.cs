using System.Globalization;

namespace WebRtcIms.Waf.Load;

/// <summary>The amount of load.</summary>
internal sealed record LoadOptions
{
    /// <summary>Number of runs of each server.</summary>
    public int Rounds { get; init; } = 3;

    /// <summary>Number of measured tokens of a run. Three times as many warm the server before.</summary>
    public int Tokens { get; init; } = 3000;

    /// <summary>Number of concurrent requests.</summary>
    public int AtOnce { get; init; } = 8;

    /// <param name="args"><c>--rounds 3 --tokens 3000 --at-once 8</c>.</param>
    /// <returns>Null when they are wrong; the problem is printed.</returns>
    public static LoadOptions? Parse(string[] args)
    {
        var options = new LoadOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                || value is < 1 or > 100_000)
                return Fail($"{args[i]} needs a number from 1 to 100000");
            switch (args[i])
            {
                case "--rounds": options = options with { Rounds = value }; break;
                case "--tokens": options = options with { Tokens = value }; break;
                case "--at-once": options = options with { AtOnce = value }; break;
                default: return Fail($"Unknown option {args[i]}; there are --rounds, --tokens and --at-once");
            }
        }

        return options;
    }

    private static LoadOptions? Fail(string problem)
    {
        Console.Error.WriteLine(problem);
        return null;
    }
}
