namespace WebRtcIms.AppHost;

/// <summary>Ports that clients have to know: from a setting, or the usual one, or in tests a free one.</summary>
internal static class Ports
{
    /// <summary>
    /// The setting <c>{resource}-port</c>, or <paramref name="usual"/>. With <c>DcpPublisher:RandomizePorts</c>, as in tests, a free port.
    /// </summary>
    /// <exception cref="DistributedApplicationException">The setting is not a port.</exception>
    public static int Port(this IDistributedApplicationBuilder builder, string resource, int usual, string address)
    {
        var text = builder.Configuration[$"{resource}-port"];
        if (string.IsNullOrWhiteSpace(text))
        {
            if (builder.RandomizesPorts()) return FreePort(IPAddress.Parse(address));
            text = usual.ToString(CultureInfo.InvariantCulture);
        }

        if (int.TryParse(text, out var port) && port is > 0 and <= ushort.MaxValue) return port;
        throw new DistributedApplicationException($"{resource}-port must be a port from 1 to 65535; it is '{text}'.");
    }

    /// <summary>Whether this run, a test, takes free ports instead of those of the launch profiles.</summary>
    public static bool RandomizesPorts(this IDistributedApplicationBuilder builder) =>
        builder.ExecutionContext.IsRunMode && builder.Configuration.GetValue<bool>("DcpPublisher:RandomizePorts");

    // Free for UDP and for TCP. The range lies below the ephemeral ports of systems: seconds pass before the server listens, and a
    // connection of another program could have the port by then.
    private static int FreePort(IPAddress address)
    {
        while (true)
        {
            var endpoint = new IPEndPoint(address, RandomNumberGenerator.GetInt32(22_000, 32_000));
            using var tcp = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            using var udp = new Socket(endpoint.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                tcp.Bind(endpoint);
                udp.Bind(endpoint);
                return endpoint.Port;
            }
            catch (SocketException)
            {
                // Taken: try another one.
            }
        }
    }
}
