using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Addresses;

/// <summary>Addresses without a machine: all that the settings name can be used.</summary>
internal static class Listening
{
    public static RelayAddresses RelaysOf(TurnSettings settings) => RelaysOf(
        settings,
        [.. TurnSettings.Addresses(settings.ListenAddress).Select(address => new ListeningAddress(address, null, IsNamed: true))]);

    public static RelayAddresses RelaysOf(TurnSettings settings, params ListeningAddress[] live) => new(
        settings, new ListeningAddresses { Live = live }, new PublicAddresses(settings, new HostNames(NullLogger<HostNames>.Instance)));
}
