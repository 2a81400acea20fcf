using WebRtcIms.Turn.Client;

namespace WebRtcIms.Soak.Churn;

/// <summary>A call between two pages: tokens, INVITE to ACK, an allocation of each, media in both directions, BYE, Refresh 0.</summary>
internal static class Call
{
    private const int Datagrams = 10;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <exception cref="Exception">A step failed.</exception>
    public static async Task RunAsync(Page caller, Page callee, TimeSpan length)
    {
        var connected = await Task.WhenAll(caller.ConnectToTurnAsync(), callee.ConnectToTurnAsync());
        await using var callerClient = connected[0].Client;
        await using var calleeClient = connected[1].Client;

        var invite = await caller.Sip.CallAsync(callee.Sip);
        await using (var own = await callerClient.AllocateAsync(connected[0].Credential))
        await using (var other = await calleeClient.AllocateAsync(connected[1].Credential))
        {
            await other.CreatePermissionAsync(own.RelayedAddress.Address);
            await own.BindChannelAsync(other.RelayedAddress);
            for (var number = 0; number < Datagrams; number++)
            {
                await PassAsync(own, other, number);
                await PassAsync(other, own, number);
                await Task.Delay(length / Datagrams);
            }
        }

        await callee.Sip.HangUpAsync(invite, caller.Sip);
    }

    private static async Task PassAsync(TurnAllocation from, TurnAllocation to, int number)
    {
        using var limit = new CancellationTokenSource(Patience);
        await from.SendAsync(BitConverter.GetBytes(number), to.RelayedAddress, limit.Token);
        var heard = await to.Received.ReadAsync(limit.Token);
        if (BitConverter.ToInt32(heard.Data.Span) != number) throw new InvalidOperationException("Another datagram arrived");
    }
}
