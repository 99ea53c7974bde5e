import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.StringJoiner;
import moa.classifiers.core.driftdetection.ADWIN;
import moa.classifiers.core.driftdetection.AbstractChangeDetector;
import moa.classifiers.rules.driftdetection.PageHinkleyTest;
import moa.options.ClassOption;

/**
 * Runs MOA's change detectors over streams. On standard input two lines for each run: the detector, then
 * the values. On standard output two lines for each run: the indices of its changes, and of its warnings.
 *
 * A detector is one as on MOA's command line; or ADWIN with delta and clock, the window itself; or
 * PageHinkleyTest with threshold and delta, the one of rule learners. Before it may stand "anew", for one
 * that is begun anew after each change, or "first", for one that is asked up to its first change.
 */
public class Driver {
    interface Detector {
        boolean changes(double value);

        default boolean warns() {
            return false;
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            boolean anew = line.startsWith("anew "), first = line.startsWith("first ");
            String options = anew || first ? line.substring(line.indexOf(' ') + 1) : line;
            Detector detector = made(options);
            StringJoiner changes = new StringJoiner(" "), warnings = new StringJoiner(" ");
            int index = 0;
            for (String value : in.readLine().split(" ")) {
                if (detector.changes(Double.parseDouble(value))) {
                    changes.add(Integer.toString(index));
                    if (first) {
                        break;
                    }
                    if (anew) {
                        detector = made(options);
                    }
                } else if (detector.warns()) {
                    warnings.add(Integer.toString(index));
                }
                index++;
            }
            System.out.println(changes);
            System.out.println(warnings);
        }
    }

    private static Detector made(String options) throws Exception {
        String[] words = options.split(" ");
        if (words[0].equals("ADWIN")) {
            ADWIN window = new ADWIN(Double.parseDouble(words[1]));
            window.setClock(Integer.parseInt(words[2]));
            return value -> window.setInput(value);
        }
        if (words[0].equals("PageHinkleyTest")) {
            PageHinkleyTest test =
                new PageHinkleyTest(Double.parseDouble(words[1]), Double.parseDouble(words[2]));
            return value -> test.update(value);
        }
        // HDDM_W_Test keeps its state in static fields: there is never more than one at a time.
        AbstractChangeDetector known = (AbstractChangeDetector)
            ClassOption.cliStringToObject(options, AbstractChangeDetector.class, null);
        known.prepareForUse();
        known.resetLearning();
        return new Detector() {
            public boolean changes(double value) {
                known.input(value);
                return known.getChange();
            }

            public boolean warns() {
                return known.getWarningZone();
            }
        };
    }
}
