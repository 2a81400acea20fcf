using System.Globalization;
using System.Net;

namespace WebRtcIms.Turn.Load;

/// <summary>The direction of the datagrams.</summary>
internal enum Direction
{
    /// <summary>Clients to peer: ChannelData in, datagrams out.</summary>
    Up,

    /// <summary>Peer to clients: datagrams in, ChannelData out.</summary>
    Down,

    /// <summary>Clients to peer and back at a fixed rate; the round-trip time is measured.</summary>
    Echo,
}

/// <summary>The command line, as <c>--name value</c>.</summary>
internal sealed record LoadOptions
{
    [System.Text.Json.Serialization.JsonIgnore]
    public IPEndPoint Server { get; init; } = new(IPAddress.Loopback, 3478);

    /// <summary>The address of the client.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public IPAddress From { get; init; } = IPAddress.Loopback;

    /// <summary>Octets that a client's socket keeps.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int ReceiveBuffer { get; init; } = 1 << 20;

    public string User { get; init; } = "u";

    public string Password { get; init; } = "p";

    /// <summary>With a key, each client uses its own token under this key (RFC 7635) instead of user and password.</summary>
    public string? Kid { get; init; }

    /// <summary>K in base64.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string? Key { get; init; }

    /// <summary>The audience of the tokens.</summary>
    public string ServerName { get; init; } = "turn.webrtcims.local";

    /// <summary>Datagrams per second of an echo.</summary>
    public int Rate { get; init; } = 5000;

    /// <summary>The server's process, whose CPU time and memory are measured.</summary>
    public int ProcessId { get; init; }

    public int Allocations { get; init; } = 100;

    /// <summary>Number of clients that set up concurrently.</summary>
    public int InFlight { get; init; } = 1;

    /// <summary>Number of allocations that the server made before a comparison.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public int Before { get; init; } = 1000;

    public Direction Direction { get; init; }

    /// <summary>Octets of payload.</summary>
    public int Size { get; init; } = 160;

    /// <summary>Maximum number of datagrams in flight.</summary>
    public int Window { get; init; } = 256;

    /// <summary>Consecutive datagrams of one flow.</summary>
    public int Burst { get; init; } = 1;

    public int Packets { get; init; } = 200_000;

    public int WarmUp { get; init; } = 300_000;

    /// <exception cref="FormatException">A name is unknown, a value is invalid, or the process of the server is missing.</exception>
    public static LoadOptions Parse(string[] args)
    {
        var options = new LoadOptions();
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            var value = args[i + 1];
            options = args[i] switch
            {
                "--server" => options with { Server = IPEndPoint.Parse(value) },
                "--user" => options with { User = value },
                "--password" => options with { Password = value },
                "--kid" => options with { Kid = value },
                "--key" => options with { Key = value },
                "--server-name" => options with { ServerName = value },
                "--rate" => options with { Rate = Number(args[i], value) },
                "--pid" => options with { ProcessId = Number(args[i], value) },
                "--allocations" => options with { Allocations = Number(args[i], value) },
                "--in-flight" => options with { InFlight = Number(args[i], value) },
                "--direction" => options with { Direction = Enum.Parse<Direction>(value, ignoreCase: true) },
                "--size" => options with { Size = Number(args[i], value) },
                "--window" => options with { Window = Number(args[i], value) },
                "--burst" => options with { Burst = Number(args[i], value) },
                "--packets" => options with { Packets = Number(args[i], value) },
                "--warm-up" => options with { WarmUp = Number(args[i], value) },
                _ => throw new FormatException($"unknown option {args[i]}"),
            };
        }

        return options.ProcessId != 0
            ? options : throw new FormatException("--pid is missing: the server's process, whose CPU time and memory are measured");
    }

    private static int Number(string option, string text) =>
        int.TryParse(text, CultureInfo.InvariantCulture, out var number)
            ? number : throw new FormatException($"{option} must be a whole number, not {text}");
}
