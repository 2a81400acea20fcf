using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// How many descriptors each kind of connection may use. If the process may not open enough for all settings, streams and relays get half
/// each.
/// </summary>
/// <param name="Management">Connections for health, metrics and operators.</param>
/// <param name="Streams">Sockets of TCP and TLS streams.</param>
/// <param name="Relays">Sockets of relays and of their connections with peers.</param>
/// <param name="IsLowered">Whether the settings allow more than the process may open.</param>
internal sealed record DescriptorShares(int Management, int Streams, int Relays, bool IsLowered)
{
    private const int MostOfManagement = 64;
    private const int Least = 32;

    /// <exception cref="SettingsException">The limit of open files leaves nothing.</exception>
    public static DescriptorShares Of(TurnSettings settings) => Of(settings, FileDescriptors.Available, FileDescriptors.Limit);

    internal static DescriptorShares Of(TurnSettings settings, int available, int? limit)
    {
        if (available < Least)
        {
            throw SettingsException.Of(
                [$"The limit of open files (ulimit -n) is {limit}; the server needs {limit - available + Least} or more"]);
        }

        var management = Math.Min(MostOfManagement, available / 4);
        var (left, wanted) = (available - management, settings.Streams.Limits.MostOpen);
        var streams = Math.Min(wanted, Math.Max(left / 2, left - settings.Quotas.Total));
        return new(management, streams, left - streams, left - wanted < settings.Quotas.Total);
    }
}
