using System.Diagnostics.Metrics;

namespace WebRtcIms.Tests.Common;

public static class MeterListenerExtensions
{
    /// <summary>
    /// Listens to the instruments that a factory made: all, or those with a name. The factory is resolved before, because this callback
    /// runs for the instruments of every test, also after the services of this one are disposed.
    /// </summary>
    public static void ListenTo(this MeterListener listener, IMeterFactory factory, string? name = null) =>
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == factory && (name is null || instrument.Name == name)) self.EnableMeasurementEvents(instrument);
        };
}
